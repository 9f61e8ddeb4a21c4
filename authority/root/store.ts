/** A root as it is kept, both PEM. */
export interface RootPem {
  readonly certificatePem: string
  readonly keyPem: string
}

/** Where the root is kept. There is no way to replace one: whoever lost a root has lost every certificate below it. */
export interface RootStore {
  /** Named in errors, so that an operator finds it: a path, a Secret. */
  readonly location: string
  /** Undefined when there is none yet. Anything else that keeps it from being read is an error. */
  load(): Promise<RootPem | undefined>
  /** False when somebody else was first; what they made is then to be loaded. */
  create(root: RootPem): Promise<boolean>
}
