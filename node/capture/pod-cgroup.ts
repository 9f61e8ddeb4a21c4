// A UID with dashes (cgroupfs), with underscores (systemd), or the hash of a static pod; in the kubelet's names for the
// cgroups of pods: `pod<uid>`, `kubepods-burstable-pod<uid>.slice`, `kubepods-pod<uid>.slice:cri-containerd:<id>`.
const POD = /^(?:.+-)?pod(?<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?::.*)?$/

/**
 * The UID of the pod that a process belongs to, with dashes; undefined for processes outside of pods.
 *
 * The outermost name counts: what is below a pod's cgroup may have been made by the pod itself, with any name. Works as
 * well where paths are relative to a cgroup namespace (`/../../kubepods…`).
 *
 * @param text `/proc/<pid>/cgroup`: one line `hierarchy:controllers:path` for version 2, several for version 1
 */
export function podUidOf(text: string): string | undefined {
  for (const line of text.split('\n')) {
    const path = /^\d+:[^:]*:(?<path>\/.*)$/.exec(line)?.groups?.['path'] ?? ''
    for (const name of path.split('/')) {
      const uid = POD.exec(name)?.groups?.['uid']
      if (uid !== undefined) return uid.replaceAll('_', '-')
    }
  }
  return undefined
}
