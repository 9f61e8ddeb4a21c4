/** Something that whoever asked for a cluster has to know, and what to do about it. */
export class ClusterError extends Error {
  override readonly name: string = 'ClusterError'
  /** The next step, as a sentence or a command. */
  readonly next: string

  constructor(message: string, next: string, options?: { cause: unknown }) {
    super(message, options)
    this.next = next
  }
}

/** A variable or a flag that is not allowed. */
export class SettingsError extends ClusterError {
  override readonly name = 'SettingsError'
}

/** There is none to talk to. */
export class NoClusterError extends ClusterError {
  override readonly name = 'NoClusterError'
}
