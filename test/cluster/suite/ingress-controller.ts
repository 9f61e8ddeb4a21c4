import type { Image } from '../../../tools/images/index.ts'
import { NGINX_IMAGE, nginxImages } from './nginx-image.ts'
import { CONTAINER_SECURITY, POD_SECURITY } from './pods.ts'

/** Where it listens for browsers. */
export const PUBLIC_PORT = 8081

// As ingress controllers do: the pods behind a Service, found by the names of a headless one, one connection each.
const CONFIGURATION = `
daemon off;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  upstream orders { server orders-pods.shop:8080; }
  server {
    listen ${PUBLIC_PORT};
    location / { proxy_pass http://orders; }
  }
}
`

export const ingressImages = (): Promise<readonly Image[]> => nginxImages(CONFIGURATION)

/** The Service by which it finds the pods of orders. It must be there before the controller starts. */
export const ORDERS_PODS = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'orders-pods', namespace: 'shop' },
  spec: { clusterIP: 'None', selector: { app: 'orders' }, ports: [{ name: 'http', port: 8080 }] }
}

/** An ingress controller in the namespace shop: of the mesh, but for its public port. */
export function ingressController(): object[] {
  const labels = { app: 'ingress' }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ingress', namespace: 'shop' } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'ingress', namespace: 'shop' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations: { 'countersign.dev/exclude-inbound-ports': String(PUBLIC_PORT) } },
          spec: {
            serviceAccountName: 'ingress',
            automountServiceAccountToken: false,
            securityContext: POD_SECURITY,
            containers: [{ name: 'ingress', image: NGINX_IMAGE, securityContext: CONTAINER_SECURITY }]
          }
        }
      }
    }
  ]
}
