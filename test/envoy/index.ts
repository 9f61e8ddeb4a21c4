// Envoy, for tests: found, asked whether it accepts a configuration, and run.
//
// In: bootstrap files as proto-JSON, snapshots. Out: Envoy's verdict; running Envoys with their admin interface.
// Never: skips because Envoy is not there; leaves a process behind.

export { eventually } from './eventually.ts'
export { resourceJson } from './resource-json.ts'
export { type RunningEnvoy, type StartOptions, startEnvoy } from './running-envoy.ts'
export { validateConfig, validateSnapshot } from './validate.ts'
