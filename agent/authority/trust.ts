import type { Clock } from '../../shared/clock/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import { type Certificate, type TrustBundle, verifySvid } from '../../shared/x509/index.ts'

export interface TrustOptions {
  readonly trustDomain: TrustDomain
  /** The bundle file. */
  readonly file: { current(): TrustBundle | undefined; subscribe(listener: () => void): () => void }
  readonly clock: Clock
}

/** Which roots count: what the mesh says, and before it is known, what the bundle file says. */
export class Trust {
  readonly #options: TrustOptions
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: () => void
  #mesh: readonly TrustBundle[] | undefined

  constructor(options: TrustOptions) {
    this.#options = options
    this.#unsubscribe = options.file.subscribe(() => this.#tell())
  }

  /** The bundles that the mesh names; nothing happens when they are those that were known. */
  learn(bundles: readonly TrustBundle[]): void {
    if (this.#mesh !== undefined && isSame(this.#mesh, bundles)) return
    this.#mesh = bundles
    this.#tell()
  }

  /** By whose roots peers are verified. Empty while nothing is known. */
  bundles(): readonly TrustBundle[] {
    return this.#mesh ?? [this.#options.file.current()].filter(bundle => bundle !== undefined)
  }

  /**
   * By which roots the authority itself is verified: those of the file and those that the mesh names, together. Either
   * may be behind the other: the mesh state after a restart, the file on machines that nobody updates. An agent that
   * believed one of them alone could not find back to the authority after a change of roots.
   */
  authorityBundle(): TrustBundle | undefined {
    const { file, trustDomain } = this.#options
    const known = [file.current(), ...(this.#mesh ?? [])].filter(bundle => bundle?.trustDomain === trustDomain)
    const roots = known.flatMap(bundle => bundle?.roots ?? [])
    if (roots.length === 0) return undefined
    return { trustDomain, roots: [...new Map(roots.map(root => [root.der.toString('base64'), root])).values()] }
  }

  /**
   * Does nothing while no bundle is known.
   *
   * @throws CountersignError ERR_CERTIFICATE_INVALID when the chain leads to no trusted root
   */
  verify(chain: readonly Certificate[]): void {
    const bundles = this.bundles()
    if (bundles.length > 0) verifySvid(chain, bundles, this.#options.clock.now())
  }

  /** As `verify`, for the agent's own SVID: by the roots by which the authority itself is verified. */
  verifyAgent(chain: readonly Certificate[]): void {
    const bundle = this.authorityBundle()
    if (bundle !== undefined) verifySvid(chain, [bundle], this.#options.clock.now())
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    this.#unsubscribe()
    this.#listeners.clear()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function isSame(a: readonly TrustBundle[], b: readonly TrustBundle[]): boolean {
  const describe = (bundles: readonly TrustBundle[]): string =>
    JSON.stringify(
      bundles.map(({ trustDomain, roots }) => [trustDomain, roots.map(({ der }) => der.toString('base64'))])
    )
  return a === b || describe(a) === describe(b)
}
