import { CountersignError } from '../../shared/errors/index.ts'
import {
  EXCLUSIONS,
  type ExclusionList,
  type Exclusions,
  MOST_ENTRIES,
  readEntries
} from '../../shared/exclusions/index.ts'
import type { ApplyRequest } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'

const POD_UID = /^[0-9a-f-]{32,36}$/
const LONGEST_SHOWN = 64

/**
 * The pod and the exclusions of a request. The latter come from a pod's specification and become part of a ruleset:
 * nothing passes that is not a number, an address of digits, dots and colons, or the plain name of an interface.
 *
 * @throws CountersignError ERR_CAPTURE_REFUSED naming every field and value that is not allowed
 */
export function readApplyRequest(request: ApplyRequest): { readonly podUid: string; readonly exclusions: Exclusions } {
  const { podUid } = request
  const problems = POD_UID.test(podUid) ? [] : [`pod_uid ${show(podUid)}: expected the UID of a pod`]
  const read = <T>(field: string, list: ExclusionList<T>, values: readonly (string | number)[]): readonly T[] => {
    const { entries, refused } = readEntries(list, values.map(String))
    const areNumbers = values.some(value => typeof value === 'number')
    for (const text of refused) problems.push(`${field} ${areNumbers ? text : show(text)}: expected ${list.entry}`)
    const { length } = [...entries, ...refused]
    if (length > MOST_ENTRIES) problems.push(`${field}: expected at most ${MOST_ENTRIES}, got ${length}`)
    return entries
  }
  const exclusions: Exclusions = Object.freeze({
    inboundPorts: read('excluded_inbound_ports', EXCLUSIONS.inboundPorts, request.excludedInboundPorts),
    outboundPorts: read('excluded_outbound_ports', EXCLUSIONS.outboundPorts, request.excludedOutboundPorts),
    outboundCidrs: read('excluded_outbound_cidrs', EXCLUSIONS.outboundCidrs, request.excludedOutboundCidrs),
    interfaces: read('excluded_interfaces', EXCLUSIONS.interfaces, request.excludedInterfaces),
    outboundUsers: read('excluded_outbound_users', EXCLUSIONS.outboundUsers, request.excludedOutboundUsers)
  })
  if (problems.length > 0)
    throw new CountersignError('ERR_CAPTURE_REFUSED', `traffic cannot be captured: ${problems.join('; ')}`, {
      facts: { problems }
    })
  return { podUid, exclusions }
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, LONGEST_SHOWN))
}
