import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CountersignError } from '../errors/index.ts'
import { writeFileAtomically } from '../files/index.ts'
import { DNS_SUBDOMAIN } from '../names/index.ts'

// Names that become parts of file names, peers and log lines; neither kubelet nor demo makes others.
const fileNamePart = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/,
    'expected 1 to 128 letters, digits, dots, dashes or underscores'
  )
const kubernetesName = z
  .string()
  .regex(DNS_SUBDOMAIN, 'expected a Kubernetes name: lower-case letters, digits, dots and dashes')

/**
 * The record of a volume, `volumes/<volumeId>.json`: the contract between the CSI node service, which writes it, and
 * the agent, which reads it. A new version number is a new contract.
 */
export const volumeRecordSchema = z.strictObject({
  version: z.literal(1),
  volumeId: fileNamePart,
  targetPath: z.string().regex(/^\/[^\0]*$/, 'expected an absolute path'),
  pod: z.strictObject({
    namespace: kubernetesName,
    name: kubernetesName,
    uid: fileNamePart,
    serviceAccount: kubernetesName
  }),
  /** The pod-bound token for the authority's audience. */
  token: z.string().min(1).optional(),
  /** RFC 3339, as the kubelet says it; for people who look: whether a token still holds, the authority decides. */
  tokenExpiresAt: z.iso.datetime({ offset: true }).optional(),
  /** The volume's attributes as their author wrote them; a tenant may be that author. */
  attributes: z.record(z.string(), z.string()).default({})
})

/** A record as it is written. */
export type VolumeRecord = z.input<typeof volumeRecordSchema>

/** A record as it was read: complete. */
export type ParsedVolumeRecord = z.output<typeof volumeRecordSchema>

/**
 * Writes or replaces a record, mode 0600: it holds a token. Content that is there already is left alone, so that
 * whoever follows the folder hears of changes only.
 *
 * @param folder the `volumes` folder of the agent's state
 * @returns whether anything was written
 * @throws TypeError when the record does not fit `volumeRecordSchema`; the message names fields, never values
 */
export function writeVolumeRecord(folder: string, record: VolumeRecord): boolean {
  const result = volumeRecordSchema.safeParse(record)
  if (!result.success) throw new TypeError(`volume record: ${describeIssues(result.error)}`)
  const path = recordPath(folder, result.data.volumeId)
  const content = JSON.stringify(result.data)
  if (readIfThere(path) === content) return false
  writeFileAtomically(path, content)
  return true
}

/** Removes a record; one that is not there is removed already. */
export function removeVolumeRecord(folder: string, volumeId: string): void {
  rmSync(recordPath(folder, fileNamePart.parse(volumeId)), { force: true })
}

/**
 * The record of a volume; `undefined` where there is none.
 *
 * @throws CountersignError ERR_VOLUME_INVALID when there is one that cannot be used
 */
export function readVolumeRecord(folder: string, volumeId: string): ParsedVolumeRecord | undefined {
  const content = readIfThere(recordPath(folder, fileNamePart.parse(volumeId)))
  return content === undefined ? undefined : parseVolumeRecord(`${volumeId}.json`, content)
}

/** The volumes of which there is a record, usable or not. */
export function recordedVolumeIds(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => name.slice(0, -'.json'.length))
    .filter(id => fileNamePart.safeParse(id).success)
}

/**
 * @param file name of the record's file, `<volume id>.json`
 * @throws CountersignError ERR_VOLUME_INVALID naming the file and each field that is wrong, never a value
 */
export function parseVolumeRecord(file: string, content: string): ParsedVolumeRecord {
  const result = volumeRecordSchema.safeParse(parseJson(file, content))
  if (!result.success) throw invalid(file, describeIssues(result.error))
  const { volumeId } = result.data
  if (file !== `${volumeId}.json`) throw invalid(file, `volumeId: expected that of the file's name, got ${volumeId}`)
  return result.data
}

function parseJson(file: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    // The parser's own message quotes the text, which holds a token.
    throw invalid(file, 'not JSON')
  }
}

function invalid(file: string, why: string): CountersignError {
  return new CountersignError('ERR_VOLUME_INVALID', `volume record ${file}: ${why}`, { facts: { file } })
}

function recordPath(folder: string, volumeId: string): string {
  return join(folder, `${volumeId}.json`)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}

/** `field: what is wrong with it`, for each. */
function describeIssues(error: z.ZodError): string {
  return error.issues.map(issue => `${issue.path.join('.') || 'record'}: ${uncapitalize(issue.message)}`).join('; ')
}

function uncapitalize(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
