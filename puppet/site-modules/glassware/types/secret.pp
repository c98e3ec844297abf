# @summary The text of a secret: anything but nothing.
type Glassware::Secret = Pattern[/\S/]
