import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { CERTIFICATES_ANNOTATION, SECRET_MOUNT } from '../../../shared/certificate-secrets/index.ts'
import { NGINX_IMAGE } from './nginx-image.ts'
import { NGINX_PORT, PEM_CLIENT_IMAGE } from './pem-images.ts'
import { CONTAINER_SECURITY, INJECT, POD_SECURITY } from './pods.ts'

export interface PemPod {
  readonly namespace: string
  /** Also its account. */
  readonly name: string
  readonly injected: boolean
  /** What the annotation says. */
  readonly certificates: string
  readonly containers: readonly Partial<V1Container>[]
  readonly initContainers?: readonly Partial<V1Container>[]
  readonly spec?: Partial<V1PodSpec>
}

/** A pod whose containers have the certificate of its account in files, that its group may read. */
export function pemPod(pod: PemPod): V1Pod {
  const { namespace, name, injected, certificates, containers, initContainers = [], spec } = pod
  const secured = (container: Partial<V1Container>): V1Container => ({
    name,
    securityContext: CONTAINER_SECURITY,
    ...container
  })
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { app: name, [INJECT]: injected ? 'enabled' : 'disabled' },
      annotations: { [CERTIFICATES_ANNOTATION]: certificates }
    },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      securityContext: { ...POD_SECURITY, fsGroup: POD_SECURITY.runAsUser },
      initContainers: initContainers.map(secured),
      containers: containers.map(secured),
      ...spec
    }
  }
}

export const account = (
  namespace: string,
  name: string,
  annotations: Readonly<Record<string, string>> = {}
): object => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, annotations } })

/** nginx without a proxy, which serves mutual TLS by itself, and its Service. */
export function nginxObjects(namespace: string, node: string): object[] {
  const name = 'nginx'
  const readinessProbe = { tcpSocket: { port: NGINX_PORT }, periodSeconds: 1 }
  return [
    account(namespace, name),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { selector: { app: name }, ports: [{ name: 'https', port: NGINX_PORT }] }
    },
    pemPod({
      namespace,
      name,
      injected: false,
      certificates: name,
      containers: [{ image: NGINX_IMAGE, readinessProbe }],
      spec: { nodeName: node }
    })
  ]
}

/** An injected client of it, which has a certificate of its own as well. */
export function clientObjects(namespace: string, node: string): object[] {
  const name = 'client'
  const server = `spiffe://cluster.local/ns/${namespace}/sa/nginx`
  const args = [`https://nginx.${namespace}:${NGINX_PORT}/`, server, SECRET_MOUNT]
  return [
    account(namespace, name),
    pemPod({
      namespace,
      name,
      injected: true,
      certificates: name,
      containers: [{ image: PEM_CLIENT_IMAGE, args }],
      spec: { nodeName: node }
    })
  ]
}
