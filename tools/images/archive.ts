import { type Image, json, MEDIA_TYPE } from './image.ts'
import { type Content, type TarEntry, tar } from './tar.ts'

/**
 * Images as one file of the kind that `docker save` writes since Docker 25: an OCI layout that also has the
 * `manifest.json` of older Dockers. `docker load`, `ctr images import` and skopeo read it. A layer that several
 * images have is in it once.
 *
 * Source: OCI image specification 1.1, image-layout.md; containerd names the image by `io.containerd.image.name`.
 *
 * @param without digests of layers to leave out, for a reader that has them
 */
export function archive(images: readonly Image[], without: ReadonlySet<string> = new Set()): AsyncIterable<Buffer> {
  return tar(archiveEntries(images, without))
}

function archiveEntries(images: readonly Image[], without: ReadonlySet<string>): TarEntry[] {
  const blobs = new Map<string, Content>()
  for (const { layers, config, configDigest, manifest, digest } of images) {
    for (const { digest: layer, file, size } of layers)
      if (!without.has(layer)) blobs.set(pathOf(layer), { file, size })
    blobs.set(pathOf(configDigest), config)
    blobs.set(pathOf(digest), manifest)
  }
  return [
    { type: 'directory', path: 'blobs', mode: 0o755 },
    { type: 'directory', path: 'blobs/sha256', mode: 0o755 },
    ...[...blobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, content]) => file(path, content)),
    file('index.json', json({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: images.map(descriptor) })),
    file('manifest.json', json(images.map(dockerManifest))),
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  ]
}

const file = (path: string, content: Content): TarEntry => ({ type: 'file', path, mode: 0o644, content })

const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`

function descriptor({ reference, digest, manifest }: Image): object {
  return {
    mediaType: MEDIA_TYPE.manifest,
    digest,
    size: manifest.length,
    annotations: {
      'io.containerd.image.name': reference,
      'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1)
    }
  }
}

const dockerManifest = ({ reference, configDigest, layers }: Image): object => ({
  Config: pathOf(configDigest),
  RepoTags: [reference],
  Layers: layers.map(layer => pathOf(layer.digest))
})
