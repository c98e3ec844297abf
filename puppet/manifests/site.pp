# What a node is, its data say.
node default {
  include lookup('role', String[1])
}
