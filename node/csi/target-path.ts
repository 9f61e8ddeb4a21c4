/** The parts of a target path that mean something. */
export interface TargetPath {
  readonly podUid: string
  /** The name of the volume in the pod's specification. */
  readonly volumeName: string
}

// Letters and digits at both ends: neither part can be "." or "..", and none holds a slash.
const BELOW_PODS =
  /^\/(?<podUid>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)\/volumes\/kubernetes\.io~csi\/(?<volumeName>[a-z0-9]([a-z0-9.~-]*[a-z0-9])?)\/mount$/

/** What is allowed, so that it completes the sentence "expected …". */
export const targetPathForm = (podsFolder: string): string =>
  `${podsFolder}/<pod UID>/volumes/kubernetes.io~csi/<volume>/mount`

/**
 * The only form of path at which the kubelet wants a volume; `undefined` for every other path, whatever it leads to.
 *
 * @param podsFolder the kubelet's folder of pods, absolute and without a slash at its end
 */
export function parseTargetPath(podsFolder: string, path: string): TargetPath | undefined {
  if (!path.startsWith(podsFolder)) return undefined
  const { podUid, volumeName } = BELOW_PODS.exec(path.slice(podsFolder.length))?.groups ?? {}
  return podUid === undefined || volumeName === undefined ? undefined : { podUid, volumeName }
}
