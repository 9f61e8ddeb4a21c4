import { createHash } from 'node:crypto'
import type { Blob } from './blob-store.ts'

/** What a container starts with unless its pod says otherwise. */
export interface ImageConfig {
  /** `name:tag`. */
  readonly reference: string
  readonly title: string
  readonly entrypoint: readonly string[]
  /** Numeric, so that `runAsNonRoot` can be checked without looking into the image. */
  readonly user: `${number}:${number}`
  readonly version: string
}

/** A finished image: what a registry would hold of it. */
export interface Image {
  readonly reference: string
  /** The digest of the manifest, by which a registry names the image. */
  readonly digest: string
  readonly manifest: Buffer
  readonly config: Buffer
  readonly configDigest: string
  readonly layers: readonly Blob[]
}

export const MEDIA_TYPE = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  index: 'application/vnd.oci.image.index.v1+json'
} as const

// A time of the build would make every build another image.
const CREATED = '2000-01-01T00:00:00Z'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Source: OCI image specification 1.1, config.md and manifest.md. */
export function createImage(options: ImageConfig, layers: readonly Blob[], architecture: string): Image {
  const config = json({
    architecture,
    os: 'linux',
    created: CREATED,
    config: {
      User: options.user,
      Env: [`PATH=${PATH}`],
      Entrypoint: options.entrypoint,
      WorkingDir: '/',
      Labels: {
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.title': options.title,
        'org.opencontainers.image.version': options.version
      }
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: CREATED, created_by: 'tools/images' }))
  })
  const configDigest = digestOf(config)
  const manifest = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, digest: configDigest, size: config.length },
    layers: layers.map(({ digest, size }) => ({ mediaType: MEDIA_TYPE.layer, digest, size }))
  })
  return { reference: options.reference, digest: digestOf(manifest), manifest, config, configDigest, layers }
}

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
