/** What may not be undone. */
export interface FloorRules {
  /** Every port of every pod with a proxy is STRICT. */
  readonly mutualTls: boolean
  /** Every pod gets a proxy. */
  readonly injection: boolean
  /** Policies on end users of the root namespace hold before those of a namespace. */
  readonly endUserChecks: boolean
}

export interface Floor {
  readonly mesh: FloorRules
  /** By namespace; each rule adds to those of the mesh. */
  readonly namespaces: ReadonlyMap<string, FloorRules>
}

export const NO_RULES: FloorRules = Object.freeze({ mutualTls: false, injection: false, endUserChecks: false })

export const NO_FLOOR: Floor = Object.freeze({ mesh: NO_RULES, namespaces: new Map() })

/** The rules of a namespace: those of the mesh and its own. */
export function floorOf({ mesh, namespaces }: Floor, namespace: string): FloorRules {
  const own = namespaces.get(namespace)
  if (own === undefined) return mesh
  return {
    mutualTls: mesh.mutualTls || own.mutualTls,
    injection: mesh.injection || own.injection,
    endUserChecks: mesh.endUserChecks || own.endUserChecks
  }
}
