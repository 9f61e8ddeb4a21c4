/** How a pod's traffic comes to its proxy. */
export type Interception =
  /** By rules in the pod's network namespace: connections arrive at 15001 and 15006 and tell where they were going. */
  | { readonly kind: 'redirect' }
  /**
   * By address: the proxy owns the pod's address and every declared port on it, the application listens on
   * `applicationAddress`, and calls out through an HTTP proxy on port 15001. Needs no privilege.
   */
  | { readonly kind: 'explicit'; readonly applicationAddress: string }
