/**
 * Where key sets are kept beyond a restart: an authority that starts while a provider is down must not tell the mesh
 * that there are no keys. Public keys are no secret; whoever can write there chooses whose tokens are valid until the
 * providers answer, as does whoever can write the trust bundle.
 */
export interface KeyStore {
  /** Named in logs, so that an operator finds it: a path, a ConfigMap. */
  readonly location: string
  /** Undefined when there is nothing yet. */
  load(): Promise<string | undefined>
  save(text: string): Promise<void>
}
