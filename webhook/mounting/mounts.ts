import { posix } from 'node:path'
import type { V1VolumeMount } from '@kubernetes/client-node'
import type { Operation } from 'fast-json-patch'
import { SECRET_MOUNT } from '../../shared/certificate-secrets/index.ts'
import type { PlacedContainer } from '../pod/index.ts'
import { VOLUME } from './volume.ts'

const MOUNT: V1VolumeMount = { name: VOLUME, mountPath: SECRET_MOUNT, readOnly: true }

/** What it takes for a container to have the mount. */
export function mountOperations({ container, pointer }: PlacedContainer): Operation[] {
  const mounts = container.volumeMounts
  if (!mounts) return [{ op: 'add', path: `${pointer}/volumeMounts`, value: [MOUNT] }]
  return mounts.some(isOurs) ? [] : [{ op: 'add', path: `${pointer}/volumeMounts/-`, value: MOUNT }]
}

/**
 * What a container mounts at that path or below it, and what would hide the certificates or some of them, each as a
 * sentence. What it mounts above is mounted before: runtimes go by depth (containerd and CRI-O, orderedMounts).
 */
export function mountProblems({ container, path }: PlacedContainer): string[] {
  return (container.volumeMounts ?? [])
    .filter(mount => isWithin(mount.mountPath) && !isOurs(mount))
    .map(mount => {
      const field = `${path}.volumeMounts ${JSON.stringify(mount.mountPath)}`
      return `${field}: expected nothing at ${SECRET_MOUNT} or below but ${JSON.stringify(MOUNT)}`
    })
}

// A subPath is never updated: the certificate would end and stay.
const isOurs = ({ name, mountPath, readOnly, subPath, subPathExpr }: V1VolumeMount): boolean =>
  name === VOLUME && absolute(mountPath) === SECRET_MOUNT && readOnly === true && !subPath && !subPathExpr

const isWithin = (mountPath: string): boolean => `${real(mountPath)}/`.startsWith(`${real(SECRET_MOUNT)}/`)

// In nearly all images /var/run leads to /run: what is mounted there would be in the same place.
const real = (mountPath: string): string => absolute(mountPath).replace(/^\/var\/run(?=\/)/, '/run')

// As the kubelet takes it: from the root of the container.
const absolute = (mountPath: string): string => posix.resolve('/', mountPath)
