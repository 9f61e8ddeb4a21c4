import { CountersignError } from '../../shared/errors/index.ts'
import { Sensitive } from '../../shared/log/index.ts'
import { parseVolumeRecord } from '../../shared/volume/index.ts'
import { checkAttributes, probesOf } from './attributes.ts'
import type { Volume } from './volume.ts'

/** A record that can be used, and what in it was passed over. */
export interface ReadRecord {
  readonly volume: Volume
  readonly unknownAttributes: readonly string[]
}

/**
 * @param file name of the record's file, `<volume id>.json`
 * @throws CountersignError ERR_VOLUME_INVALID naming the file and each field that is wrong
 */
export function readRecord(file: string, content: string): ReadRecord {
  const { volumeId, targetPath, pod, token, attributes } = parseVolumeRecord(file, content)
  const { accepted, unknown, problems } = checkAttributes(attributes)
  if (problems.length > 0) {
    const faults = problems.map(problem => `attributes.${problem}`)
    throw new CountersignError('ERR_VOLUME_INVALID', `volume record ${file}: ${faults.join('; ')}`, { facts: { file } })
  }
  const volume: Volume = Object.freeze({
    id: volumeId,
    targetPath,
    pod: Object.freeze(pod),
    token: token === undefined ? undefined : new Sensitive(token),
    attributes: accepted,
    probes: probesOf(accepted)
  })
  return { volume, unknownAttributes: unknown }
}
