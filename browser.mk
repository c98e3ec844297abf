##@ Pages

axe := build/browser/node_modules/axe-core/axe.min.js

test-browser: setup $(axe) ## look at the pages in headless Chromium: accessible, whole, no other host
	@tools/need chromium chromium-driver
	@$(timed) browser $(pytest) -m browser

# The rules of accessibility (WCAG) that the pages are checked by.
$(axe):
	@command -v npm >/dev/null || tools/need npm
	@npm install --silent --no-save --prefix build/browser axe-core@4.14.1

.PHONY: test-browser
