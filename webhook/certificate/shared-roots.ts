import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../shared/x509/index.ts'

/** A root as it is kept for all replicas. */
export interface StoredRoot {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

/** Where the roots are that several replicas sign with, oldest first. */
export interface SharedRoots {
  /** Empty when there are none yet, or none that can be used. */
  load(): Promise<{ readonly roots: readonly StoredRoot[]; readonly version: string | undefined }>
  /** False when they are no longer as they were at that version: somebody else was first. */
  save(roots: readonly StoredRoot[], version: string | undefined): Promise<boolean>
}
