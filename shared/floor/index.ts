// The floor: what the operator says may not be undone in a namespace, for the mesh and for single namespaces.
//
// In: the text of a file (YAML or JSON), the name of a namespace. Out: the rules of that namespace, or everything that
// is wrong with the text.
// Never: reads a label, an annotation or any other object that a tenant may write; takes a field or a value that it does
// not know for one that is absent.

export { type Floor, type FloorRules, floorOf, NO_FLOOR } from './floor.ts'
export { type ParsedFloor, parseFloor } from './parse-floor.ts'
