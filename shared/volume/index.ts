// Volume records: how what the kubelet said of a pod reaches the agent.
//
// In: a pod as the kubelet reported it, its token, the attributes of its volume. Out: one file per volume in a folder
// that only this machine's root can enter, and the same read back.
// Never: judges a token or an attribute; never shows either in a message.
// Source: CSI specification 1.13, NodePublishVolume; Kubernetes CSI drivers, "Pod info on mount", "Token requests".

export {
  type ParsedVolumeRecord,
  parseVolumeRecord,
  readVolumeRecord,
  recordedVolumeIds,
  removeVolumeRecord,
  type VolumeRecord,
  volumeRecordSchema,
  writeVolumeRecord
} from './record.ts'
