// The mesh as it is now: an inventory that changes, worked out and encoded anew, once for all who ask.
//
// In: an inventory source, the mesh's settings. Out: for each node a snapshot with subscription; a directory of pods;
// the Services with those who run them.
// Never: decides anything (naming does); never encodes what did not change; never forgets the last good state.

export { LiveMesh, type LiveMeshOptions, type MeshObserver } from './live-mesh.ts'
export type { MeshService } from './run-services.ts'
