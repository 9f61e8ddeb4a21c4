// Files and folders that several processes share: written so that a reader finds the old content or the new one,
// followed so that no change is missed, closed to everybody else.
//
// In: paths, contents, what to do when a folder changes. Out: files, a call for every change, folders of mode 0700.
// Never: decides what a file means; never follows a link out of the folder it was told to write in.
//
// Everything is synchronous: what is written here is small and lies on tmpfs or in a folder of the kubelet, and two
// writes of one file cannot overtake each other.

export { isTemporary, removeTemporaryFiles, writeFileAtomically } from './atomic-file.ts'
export { FolderWatch, type FolderWatchOptions } from './folder-watch.ts'
export { ensurePrivateFolder } from './private-folder.ts'
