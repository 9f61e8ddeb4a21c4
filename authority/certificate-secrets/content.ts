import { type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { SECRET_KEYS } from '../../shared/certificate-secrets/index.ts'
import {
  type Certificate,
  parsePem,
  privateKeyFromPem,
  privateKeyToPem,
  type TrustBundle,
  toPem,
  verifySvid
} from '../../shared/x509/index.ts'
import { rootDigest, rootsDigest } from './roots-digest.ts'
import type { Content, Key } from './types.ts'

/** The files of a Secret, as text. */
export type Files = Readonly<Record<keyof typeof SECRET_KEYS, string>>

/** What is wrong, in words that have nothing of the Secret in them. */
export interface Problem {
  readonly problem: string
}

/** Characters. A bundle of thirty roots of RSA-4096 has fewer; what anybody may write is parsed by everybody's leader. */
export const LONGEST_FILE = 65_536

/**
 * What the certificate says, once it is sure that chain, key and roots belong together and are as they are written
 * here: as soon as something is added, left out or exchanged, it is a problem. Whether it has expired is none: a chain
 * is verified (X509-SVID, section 5) as of a time at which its leaf is valid.
 */
export function contentOf(files: Files): Content | Problem {
  for (const [file, text] of Object.entries(files))
    if (text.length > LONGEST_FILE) return problem(`${nameOf(file)} has more than ${LONGEST_FILE} characters`)
  const chain = certificatesIn(files.chain)
  const roots = certificatesIn(files.roots)
  const [leaf] = chain ?? []
  if (chain === undefined || leaf === undefined) return problem(`${SECRET_KEYS.chain} is no list of certificates`)
  if (roots === undefined) return problem(`${SECRET_KEYS.roots} is no list of certificates`)
  const key = kindOf(leaf.publicKey)
  if (key === undefined) return problem(`the first certificate in ${SECRET_KEYS.chain} is for another kind of key`)
  const wrongKey = keyProblem(files.key, key, leaf)
  if (wrongKey !== undefined) return problem(wrongKey)
  const { spiffeId } = leaf
  if (spiffeId === undefined)
    return problem(`the first certificate in ${SECRET_KEYS.chain} is not that of one SPIFFE ID of this mesh`)
  const bundle: TrustBundle = { trustDomain: spiffeId.trustDomain, roots }
  const anchors = roots.filter(root => leadsTo(chain, leaf, { ...bundle, roots: [root] }))
  if (anchors.length === 0) return problem(`${SECRET_KEYS.chain} does not lead to a root in ${SECRET_KEYS.roots}`)
  return {
    spiffeId: spiffeId.toString(),
    dnsNames: [...leaf.dnsNames].sort(),
    key,
    serialNumber: leaf.serialNumber,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    roots: rootsDigest(bundle),
    anchors: anchors.map(rootDigest)
  }
}

const problem = (words: string): Problem => ({ problem: words })
const nameOf = (file: string): string => SECRET_KEYS[file as keyof Files]

/** Undefined when there is anything else in the text, or not all of one. */
function certificatesIn(text: string): readonly Certificate[] | undefined {
  try {
    const certificates = parsePem(text)
    return toPem(certificates) === text ? certificates : undefined
  } catch {
    return undefined
  }
}

function keyProblem(text: string, kind: Key, leaf: Certificate): string | undefined {
  const privateKey = privateKeyIn(text)
  if (privateKey === undefined) return `${SECRET_KEYS.key} is no unencrypted key in PKCS#8`
  if (kindOf(privateKey) !== kind || !isPair(privateKey, leaf.publicKey))
    return `${SECRET_KEYS.key} is not the key of the first certificate in ${SECRET_KEYS.chain}`
  return undefined
}

function privateKeyIn(text: string): KeyObject | undefined {
  try {
    const key = privateKeyFromPem(text)
    return privateKeyToPem(key) === text ? key : undefined
  } catch {
    return undefined
  }
}

/** By use: PKCS#8 may hold a public half that has nothing to do with the private one (RFC 5915, section 3). */
function isPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const bytes = randomBytes(32)
  try {
    return verify('sha256', bytes, publicKey, sign('sha256', bytes, privateKey))
  } catch {
    return false
  }
}

const RSA_BITS = 2_048

function kindOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): Key | undefined {
  const { namedCurve, modulusLength } = asymmetricKeyDetails
  if (asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ecdsa-p256'
  if (asymmetricKeyType === 'rsa' && modulusLength === RSA_BITS) return 'rsa-2048'
  return undefined
}

function leadsTo(chain: readonly Certificate[], leaf: Certificate, bundle: TrustBundle): boolean {
  // Not every authority ends before its root does, nor begins after it.
  return [leaf.notBefore, leaf.notAfter].some(time => {
    try {
      verifySvid(chain, [bundle], time)
      return true
    } catch {
      return false
    }
  })
}
