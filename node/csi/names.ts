/** The driver's name, as the CSIDriver object and the volumes of pods give it. */
export const DRIVER_NAME = 'csi.countersign.dev'

/**
 * The name of the only volume that is served. Whoever decides about a pod reads the volume of this name, so attributes of
 * another one would be in force without anyone having seen them.
 */
export const VOLUME_NAME = 'countersign'

/** For whom the tokens are: the authority accepts no other. The CSIDriver object asks for it in `tokenRequests`. */
export const TOKEN_AUDIENCE = 'countersign-ca'

/** Everything under this prefix in a volume's context comes from the kubelet, or from a tenant who pretends. */
export const KUBELET_PREFIX = 'csi.storage.k8s.io/'

/** Kubernetes CSI drivers, "Pod info on mount" and "Token requests". */
export const CONTEXT = {
  podName: `${KUBELET_PREFIX}pod.name`,
  podNamespace: `${KUBELET_PREFIX}pod.namespace`,
  podUid: `${KUBELET_PREFIX}pod.uid`,
  serviceAccount: `${KUBELET_PREFIX}serviceAccount.name`,
  ephemeral: `${KUBELET_PREFIX}ephemeral`,
  tokens: `${KUBELET_PREFIX}serviceAccount.tokens`
} as const
