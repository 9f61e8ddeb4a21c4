// Options: what a user can set, from flags and from the environment, and the life of a process around them.
//
// In: a table of options, the command line, the environment. Out: one frozen typed object, or everything that is
// wrong with it at once; a help text that teaches; `runMain`, which is all that a main.ts needs.
// Never: lets another room read process.env; never starts a program with an option that is not allowed.

export { type Address, address, addressUnusable, formatAddress, listenAddress, port } from './address.ts'
export { duration } from './duration.ts'
export { findEnvoy, type LocalEnvoy } from './find-envoy.ts'
export { helpText } from './help.ts'
export { defineOptions, type Option, type OptionsOf, type OptionTable } from './option.ts'
export { type Environment, optionsInvalid, parseOptions } from './parse-options.ts'
export { boolean, existing, integer, list, oneOf, type Parser, path, text, trustDomain } from './parser.ts'
export { type Running, runMain } from './run-main.ts'
