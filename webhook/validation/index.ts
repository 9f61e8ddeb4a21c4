// Validation: policies before they are stored. Pure.
//
// In: an object that somebody wants to store, and the one that is stored. Out: accepted, perhaps with a warning, or
// everything that is wrong.
// Never: lets anything but these two decide; pods and Services, where they are given, are for warnings.
// Source: Istio, reference of security.istio.io/v1; docs/end-users.md.

export { type PolicyOnPorts, policyOnPorts } from './policy-on-ports.ts'
export { meshWideWarning, portWarnings, unknownPortsWarning } from './port-warnings.ts'
export { type TypedObject, type ValidationResult, validatePolicy } from './validate-policy.ts'
