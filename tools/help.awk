# Lists the targets of a Makefile: "##@ Group" starts a group, "target: ## words" is an entry.
BEGIN { FS = ":.*## "; print "Glassware: a suite of small Flask services and their chassis\n\nUsage: make TARGET" }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z-]+:.*## / { printf "  %-13s %s\n", $1, $2 }
