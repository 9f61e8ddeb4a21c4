// Unknown keys: a proxy refused a token that none of its keys fits, and the authority is asked for newer ones.
//
// In: the access log streams of the pods' proxies, which hold nothing else. Out: a report for each pod, few at a time.
// Never: reads what a log entry says, for a pod can write what it likes; never reports a pod other than the one whose
// socket it is.
// Source: Envoy, service/accesslog/v3.

export { addAccessLogService } from './access-log-service.ts'
export { UnknownKeyReports } from './unknown-key-reports.ts'
