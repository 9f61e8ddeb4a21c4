// The inventory out of a folder of Kubernetes manifests: the demo, and machines outside Kubernetes.
//
// In: a folder of .yaml, .yml and .json files, and changes to it. Out: an Inventory, current and announced; apart from
// it Secrets, unprintable; problems with file, line, column and field.
// Never: writes; never gives up a good state for a file with a mistake; never logs the text of a file, nor the value
// of a Secret.
// Source: YAML 1.2 as read by kubectl (merge keys, several documents, kind: List).

export type { Reading } from './folder-reader.ts'
export { checkFolder, type FolderOptions, FolderSource } from './folder-source.ts'
export { formatProblem, type Problem } from './problem.ts'
