# @summary What fits into a line of an INI file, and comes out of it unchanged.
type Glassware::Line = Pattern[/\A(\S([^\r\n]*\S)?)?\z/]
