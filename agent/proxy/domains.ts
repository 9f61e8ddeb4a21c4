import type { Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { inBrackets } from './address.ts'

const HTTP_PORT = 80

/**
 * The authorities by which one port of a Service is called from a namespace: Kubernetes' names and the Service's
 * addresses, with the port, and without it where HTTP's own is meant.
 */
export function domainsOf(
  service: Service,
  port: number,
  fromNamespace: string,
  clusterDomain: string
): readonly string[] {
  const { name, namespace } = service
  const hosts = [
    ...(namespace === fromNamespace ? [name] : []),
    `${name}.${namespace}`,
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.svc.${clusterDomain}`,
    ...service.addresses.map(inBrackets)
  ]
  return hosts.flatMap(host => (port === HTTP_PORT ? [`${host}:${port}`, host] : [`${host}:${port}`]))
}
