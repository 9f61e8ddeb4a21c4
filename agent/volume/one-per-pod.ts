import type { Volume } from './volume.ts'

/**
 * Picks the volume of each pod. A tenant may add a second volume to a pod by hand: it must not take over from the
 * first, nor may the choice change while the first is there. Where both appear at once, the lower id is chosen.
 *
 * @param serving the volumes that were chosen before, by pod UID
 */
export function onePerPod(
  volumes: readonly Volume[],
  serving: ReadonlyMap<string, Volume>
): { readonly accepted: ReadonlyMap<string, Volume>; readonly refused: readonly Volume[] } {
  const byPod = Map.groupBy(volumes, volume => volume.pod.uid)
  const accepted = new Map<string, Volume>()
  const refused: Volume[] = []
  for (const [uid, candidates] of byPod) {
    const [lowest, ...others] = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1))
    if (lowest === undefined) continue
    const chosen = candidates.find(volume => volume.id === serving.get(uid)?.id) ?? lowest
    accepted.set(uid, chosen)
    refused.push(...[lowest, ...others].filter(volume => volume !== chosen))
  }
  return { accepted, refused }
}
