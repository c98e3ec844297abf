# @summary A network, such as 10.0.0.0/8 or fd00::/8.
type Glassware::Network = Pattern[/\A([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)(\/[0-9]{1,3})?\z/]
