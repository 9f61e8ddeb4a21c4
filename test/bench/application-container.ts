import type { V1Container } from '@kubernetes/client-node'

/** The application of the examples as a container that a restricted namespace accepts. */
export function applicationContainer(name: string, port: number): V1Container {
  return {
    name,
    image: 'countersign.dev/examples/echo:1',
    env: [{ name: 'PORT', value: String(port) }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 10001,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' }
    }
  }
}
