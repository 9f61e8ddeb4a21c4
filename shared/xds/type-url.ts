/** Type URLs of the Envoy resources that are served. */
export const TYPE = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  extensionConfig: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig'
} as const

/** The name that stands for every resource of a type. */
export const WILDCARD = '*'
