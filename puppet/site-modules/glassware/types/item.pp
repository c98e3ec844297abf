# @summary An entry of a list, which is written with commas.
type Glassware::Item = Pattern[/\A[^\s,]([^\r\n,]*[^\s,])?\z/]
