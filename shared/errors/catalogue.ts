// Every error code of Countersign: what it means, and what somebody who meets it does next.
// docs/errors.md is held equal to this table by a test.

export const CATALOGUE = {
  ERR_OPTION_INVALID: {
    meaning: 'a flag or an environment variable has a value that is not allowed',
    next: 'correct the option that the message names; `--help` lists what is allowed'
  },
  ERR_FILE_INVALID: {
    meaning: 'a configuration file cannot be read as what it should be',
    next: 'correct the file at the line and field that the message names; until then the last good state is used'
  },
  ERR_SPIFFE_ID_INVALID: {
    meaning: 'a string is not a SPIFFE ID, or not one of the shapes that Countersign issues',
    next: 'compare it with spiffe://<trust domain>/ns/<namespace>/sa/<service account>'
  },
  ERR_CERTIFICATE_INVALID: {
    meaning: 'a certificate, chain or key cannot be parsed or does not verify',
    next: 'check the file that the message names with `openssl x509 -noout -text`'
  },
  ERR_ISSUER_UNUSABLE: {
    meaning: 'the certificate or the key with which the authority signs is damaged, expired or not a pair',
    next: 'restore both from a backup at the place that the message names; they are never overwritten by themselves'
  },
  ERR_CSR_REFUSED: {
    meaning: 'a certificate request asks for something that the authority does not sign',
    next: 'read the reason in the log of the authority; only the SPIFFE ID of the pod may be asked for'
  },
  ERR_TOKEN_REFUSED: {
    meaning: 'a service account token does not prove which pod it is for',
    next: 'read the reason in the log of the authority; the usual causes are another audience and a clock that is off'
  },
  ERR_CALLER_REFUSED: {
    meaning: 'a caller of the authority is not an agent, or speaks for a node that is not its own',
    next: 'read the reason in the log of the authority; check that the agent runs on the node that its pod is assigned to'
  },
  ERR_RENEWAL_REFUSED: {
    meaning: 'a renewal does not prove that the caller holds the current key of a pod on its node',
    next: 'read the reason in the log of the authority; the agent falls back to the token of the pod'
  },
  ERR_POD_NOT_ENROLLED: {
    meaning: 'a pod asks for a certificate, and neither its namespace nor its own label enrols it',
    next: 'label the namespace countersign.dev/inject=enabled and create the pod again; the operator may allow such pods by `enrolment.unenrolledPods: allowed`'
  },
  ERR_POD_BELOW_FLOOR: {
    meaning: 'a pod asks for a certificate, and opens ports that the floor of its namespace keeps closed',
    next: 'remove the annotations countersign.dev/exclude-inbound-ports, exclude-interfaces and application-address and create the pod again'
  },
  ERR_ADMISSION_REVIEW_INVALID: {
    meaning: 'the body sent to the webhook is not an AdmissionReview of admission.k8s.io/v1',
    next: 'check who calls the webhook: only the API server should'
  },
  ERR_INJECTION_REFUSED: {
    meaning: 'a pod asks for injection in a way that cannot be honoured',
    next: 'correct the field or annotation that the message names'
  },
  ERR_POLICY_INVALID: {
    meaning: 'a policy has a field that is missing, unknown or out of range',
    next: 'correct the field that the message names'
  },
  ERR_DISCOVERY_REQUEST_INVALID: {
    meaning: 'an xDS or SDS request does not follow the protocol',
    next: 'check the version and the bootstrap of the client on that socket'
  },
  ERR_DISCOVERY_UNAVAILABLE: {
    meaning:
      'an xDS or SDS client cannot be served at present: its pod is gone, its secrets are not there yet, or it has too many streams',
    next: 'nothing, if it passes: clients try again; otherwise look for what the log says of that pod before'
  },
  ERR_VOLUME_INVALID: {
    meaning: 'the record of a pod volume cannot be used',
    next: 'delete the pod: its controller makes a new one; if it happens again, report it'
  },
  ERR_VOLUME_REFUSED: {
    meaning: 'the kubelet asks for a volume that cannot be given',
    next: 'correct the field that the message names: in the volume of the pod, or in the CSIDriver object'
  },
  ERR_VOLUME_UNAVAILABLE: {
    meaning: 'the folder or the record of a volume cannot be made or removed at present',
    next: 'nothing at first: the kubelet tries again; if it lasts, see to what the message says of the file system'
  },
  ERR_CAPTURE_REFUSED: {
    meaning: 'the traffic of a pod must not be captured, or not in the way that was asked for',
    next: 'correct the field that the message names; a pod on the network of its node cannot have a proxy'
  },
  ERR_CAPTURE_FAILED: {
    meaning: 'the rules that lead the traffic of a pod through its proxy cannot be put in place',
    next: 'read the reason in the message: a capability of the container, a program or a kernel module may be missing'
  },
  ERR_POD_NOT_FOUND: {
    meaning: 'no process of a pod is found on this node',
    next: 'nothing while a pod starts or ends; if it lasts, check that `--proc` of container `node` shows the node’s processes'
  },
  ERR_STATE_CORRUPT: {
    meaning: 'a file of persisted state cannot be read back',
    next: 'nothing: it is set aside and made anew; if it happens again, check the file system'
  },
  ERR_STATE_FOLDER_UNSAFE: {
    meaning: 'the folder in which the agent keeps keys can be entered by other users, or cannot be made',
    next: 'run the command that the message names, or choose another folder with `--state`'
  },
  ERR_AUTHORITY_UNAVAILABLE: {
    meaning: 'the authority cannot be reached, or its answer did not come in time',
    next: 'check that the authority runs and that its address is right; certificates are served until they expire'
  },
  ERR_AUTHORITY_REFUSED: {
    meaning: 'the authority refused a certificate request',
    next: 'read the reason in the log of the authority at that time'
  },
  ERR_KUBERNETES_UNAVAILABLE: {
    meaning: 'the Kubernetes API cannot be reached, has no time, or fails',
    next: 'nothing at first: it is tried again; if it lasts, check the API server and the network on the way to it'
  },
  ERR_KUBERNETES_REFUSED: {
    meaning: 'the Kubernetes API refuses a request',
    next: 'read its reason in the message; status 403 means that a role of the chart is missing or was changed'
  },
  ERR_KEYS_UNAVAILABLE: {
    meaning: 'the keys of an issuer of tokens cannot be fetched: it cannot be reached, or does not answer as it should',
    next: 'nothing at first: it is tried again, and keys that are known go on serving; if it lasts, see to what the message says of the provider'
  },
  ERR_KEYS_INVALID: {
    meaning:
      'what is at the place of the keys of an issuer of tokens is not a key set, or the place itself cannot be one',
    next: 'correct `issuer` or `jwksUri` of the policy, or what the provider serves there'
  },
  ERR_KEYS_BLOCKED: {
    meaning: 'the keys of an issuer of tokens are at an address that the authority does not ask',
    next: 'correct the URL of the policy; where the address is right, change the list of blocked addresses of the authority'
  },
  ERR_ADDRESS_UNUSABLE: {
    meaning: 'an address or a socket cannot be listened on',
    next: 'free the address, or choose another with the option that the message names'
  },
  ERR_INTERNAL: {
    meaning: 'something happened that should not be able to',
    next: 'report it with the log lines around it'
  }
} as const satisfies Record<string, { meaning: string; next: string }>

/** A stable code; scripts may compare it, the message is for people. */
export type ErrorCode = keyof typeof CATALOGUE
