# @summary A path from the root on.
type Glassware::Path = Pattern[/\A\/[^\r\n]*\z/]
