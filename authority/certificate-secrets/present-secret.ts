import { SECRET_KEYS, SECRET_TYPE } from '../../shared/certificate-secrets/index.ts'
import { type KubeObject, record, stringIn } from '../../shared/kube/index.ts'
import { contentOf, type Files, LONGEST_FILE } from './content.ts'
import type { PresentSecret } from './types.ts'

export { rootsDigest } from './roots-digest.ts'

/**
 * A Secret as the API has it (core/v1), reduced to facts: nothing of its key, nor of anything else that is secret, can
 * be reached from the result. Whatever is in it, this does not throw.
 */
export function presentSecret(object: KubeObject): PresentSecret {
  const metadata = record(object.metadata)
  const type = stringIn(object, 'type') ?? ''
  return {
    namespace: stringIn(metadata, 'namespace') ?? '',
    name: stringIn(metadata, 'name') ?? '',
    uid: stringIn(metadata, 'uid') ?? '',
    resourceVersion: stringIn(metadata, 'resourceVersion') ?? '',
    type,
    immutable: object['immutable'] === true,
    owners: ownersIn(metadata?.['ownerReferences']),
    content: type === SECRET_TYPE ? contentIn(record(object['data'])) : { problem: 'it is of another type' }
  }
}

function ownersIn(references: unknown): readonly string[] {
  return (Array.isArray(references) ? references : [])
    .map(record)
    .filter(reference => reference?.['apiVersion'] === 'v1' && reference['kind'] === 'ServiceAccount')
    .flatMap(reference => stringIn(reference, 'uid') ?? [])
}

const LONGEST_ENCODED = Math.ceil(LONGEST_FILE / 3) * 4

function contentIn(data: Readonly<Record<string, unknown>> | undefined): PresentSecret['content'] {
  const files: Partial<Record<keyof Files, string>> = {}
  for (const [file, name] of Object.entries(SECRET_KEYS)) {
    const encoded = stringIn(data, name)
    if (encoded === undefined) return { problem: `${name} is missing` }
    if (encoded.length > LONGEST_ENCODED) return { problem: `${name} has more than ${LONGEST_FILE} characters` }
    files[file as keyof Files] = Buffer.from(encoded, 'base64').toString()
  }
  return contentOf(files as Files)
}
