import type { Report } from './report.ts'
import { ORDERS_URL, type Shop } from './shop.ts'

/** What somebody can try while `--keep` keeps everything running. */
export function printAddresses({ mesh, storefront, orders }: Shop, folder: string, report: Report): void {
  report.title('Still running, until Ctrl-C. To try:')
  report.say(`as the storefront:   curl -x http://${storefront.pod.address}:15001 ${ORDERS_URL}`)
  report.say(`without an identity: curl http://${orders.pod.address}:8080/`)
  report.say(
    `the certificate:     openssl s_client -connect ${orders.pod.address}:8080 </dev/null | openssl x509 -noout -text`
  )
  report.say(`policies, pods:      ${mesh.layout.manifests} (change a file: it is taken up at once)`)
  for (const program of ['authority', 'webhook', 'agent'] as const)
    report.say(`${`metrics of ${program}:`.padEnd(21)}http://${mesh.address(program).health}/metrics`)
  report.say(`everything else:     ${folder}`)
}
