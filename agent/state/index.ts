// What the agent needs to serve without the authority, kept in one folder that only it can enter.
//
//     volumes/<volume id>.json     which pod is behind which volume; written by the CSI node service, read by agent/volume
//     identities/<pod uid>.json    a pod's key and certificates
//     agent.json                   the agent's own
//     mesh.bin                     the last mesh state, opaque here
//
// In: SVIDs and bytes to keep. Out: the same, after a restart; nothing at all where a file cannot be trusted.
// Never: crashes on what it finds, keeps a key where others can read it, or judges whether a certificate still holds.
//
// The folder lies on tmpfs: keys never reach a disk, and a reboot (which ends every pod) leaves nothing behind.
// That is also why files are read and written synchronously: it costs a copy in memory, and two writes of one file
// cannot overtake each other.

export { StateFolder } from './state-folder.ts'
export type { StoredSvid } from './svid-file.ts'
