import { CONTROL, NETWORK } from '../settings.ts'

const ETCD = 'http://127.0.0.1:2379'

/** Where a file of the cluster's keys and certificates is. */
type Pki = (name: string) => string

/** A store that may lose its last second in a power cut, and is several times as fast for it. */
export const etcdArguments = (folder: string): string[] => [
  `--data-dir=${folder}`,
  `--listen-client-urls=${ETCD}`,
  `--advertise-client-urls=${ETCD}`,
  '--listen-peer-urls=http://127.0.0.1:2380',
  '--unsafe-no-fsync'
]

export const apiServerArguments = (pki: Pki): string[] => [
  `--etcd-servers=${ETCD}`,
  `--advertise-address=${CONTROL.address}`,
  `--client-ca-file=${pki('ca.crt')}`,
  `--tls-cert-file=${pki('apiserver.crt')}`,
  `--tls-private-key-file=${pki('apiserver.key')}`,
  `--service-account-issuer=https://kubernetes.default.svc.${NETWORK.domain}`,
  `--service-account-key-file=${pki('tokens.pub')}`,
  `--service-account-signing-key-file=${pki('tokens.key')}`,
  `--service-cluster-ip-range=${NETWORK.services},${NETWORK.ipv6Services}`,
  '--authorization-mode=Node,RBAC',
  '--enable-admission-plugins=NodeRestriction',
  '--allow-privileged',
  `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
  `--kubelet-client-key=${pki('kubelet-client.key')}`,
  `--kubelet-certificate-authority=${pki('ca.crt')}`,
  '--kubelet-preferred-address-types=InternalIP'
]

export const controllerArguments = (pki: Pki): string[] => [
  `--kubeconfig=${pki('controllers.kubeconfig')}`,
  `--service-account-private-key-file=${pki('tokens.key')}`,
  `--root-ca-file=${pki('ca.crt')}`,
  `--cluster-signing-cert-file=${pki('ca.crt')}`,
  `--cluster-signing-key-file=${pki('ca.key')}`,
  '--use-service-account-credentials',
  // It makes this folder; the default is one of the machine's own.
  '--flex-volume-plugin-dir=/var/lib/volume-plugins',
  '--leader-elect=false'
]

export const schedulerArguments = (pki: Pki): string[] => [
  `--kubeconfig=${pki('scheduler.kubeconfig')}`,
  '--leader-elect=false'
]

/** CoreDNS answers for the cluster and for nothing else: there is no way out of it. */
export const corefile = (kubeconfig: string): string => `.:53 {
  bind ${CONTROL.address}
  errors
  kubernetes ${NETWORK.domain} {
    kubeconfig ${kubeconfig}
  }
  cache 5
}
`

/** The Service that every pod asks, and where it leads: CoreDNS is no pod here. */
export function dnsObjects(): object {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' }
  ]
  const namespace = 'kube-system'
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'kube-dns', namespace },
        spec: { clusterIP: NETWORK.dnsService, ports }
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'kube-dns', namespace, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [CONTROL.address] }],
        ports
      }
    ]
  }
}
