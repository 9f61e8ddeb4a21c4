// The CustomResourceDefinitions of policies: whether they keep the fields that they do not know.
//
// In: a client of the Kubernetes API. Out: for each kind of policy, whether its definition drops unknown fields; told
// again when that changes, in the log and as problems of policies.
// Never: changes a definition; reads another one than those of policies; stops anything because one cannot be read.
// Source: Kubernetes, "CustomResourceDefinition", field pruning.

export { DefinitionCheck, type DefinitionCheckOptions } from './definition-check.ts'
export { definitionProblems } from './definition-problems.ts'
export { prunedLevels } from './pruned-levels.ts'
