import { dirname, join } from 'node:path'
import { SECRET_KEYS, SECRET_MOUNT } from '../../../shared/certificate-secrets/index.ts'
import { APPLICATION, type Image } from '../../../tools/images/index.ts'
import { nginxImages } from './nginx-image.ts'
import { programImage } from './program-image.ts'

const ENTRY = 'test/cluster/applications/pem-client/main.ts'
const file = (name: string): string => `${SECRET_MOUNT}/${name}`

/** Where nginx answers those whom it verified, with what it saw of them. */
export const NGINX_PORT = 8443

const CONFIGURATION = `
daemon off;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  default_type text/plain;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
    listen ${NGINX_PORT} ssl;
    ssl_certificate ${file(SECRET_KEYS.chain)};
    ssl_certificate_key ${file(SECRET_KEYS.key)};
    ssl_client_certificate ${file(SECRET_KEYS.roots)};
    ssl_verify_client on;
    ssl_verify_depth 2;
    location / { return 200 "$ssl_client_verify $ssl_client_escaped_cert"; }
  }
}
`

/** Where the parts of that application are in its image. */
export const PEM_CLIENT_FOLDER = `${APPLICATION}/${dirname(ENTRY)}`

export const PEM_CLIENT_IMAGE = 'countersign.dev/test/pem-client:1'

/** Programs that read PEM files: nginx, and an application that calls it over mutual TLS. */
export async function pemImages(): Promise<readonly Image[]> {
  const client = await programImage({
    name: 'pem-client',
    reference: PEM_CLIENT_IMAGE,
    title: 'an application that has its certificate in files',
    entry: ENTRY
  })
  return [...(await nginxImages(CONFIGURATION, join(SECRET_MOUNT, '..data'))), ...client]
}
