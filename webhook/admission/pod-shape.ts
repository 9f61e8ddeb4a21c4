import { z } from 'zod'
import type { Pod } from '../pod/index.ts'
import { checkShape } from './shape.ts'

const words = z.record(z.string(), z.string()).nullish()

const port = z.union([z.number(), z.string()])
const handler = z
  .looseObject({
    httpGet: z
      .looseObject({
        port,
        path: z.string().nullish(),
        host: z.string().nullish(),
        scheme: z.string().nullish(),
        protocol: z.string().nullish(),
        httpHeaders: z.array(z.looseObject({ name: z.string(), value: z.string().nullish() })).nullish()
      })
      .nullish(),
    tcpSocket: z.looseObject({ port, host: z.string().nullish() }).nullish(),
    grpc: z.looseObject({ port: z.number(), service: z.string().nullish(), mode: z.string().nullish() }).nullish()
  })
  .nullish()

const container = z.looseObject({
  name: z.string(),
  args: z.array(z.string()).nullish(),
  restartPolicy: z.string().nullish(),
  ports: z
    .array(z.looseObject({ containerPort: z.number(), name: z.string().nullish(), protocol: z.string().nullish() }))
    .nullish(),
  securityContext: z.looseObject({ runAsUser: z.number().nullish() }).nullish(),
  startupProbe: handler,
  readinessProbe: handler,
  livenessProbe: handler,
  lifecycle: z.looseObject({ postStart: handler, preStop: handler }).nullish(),
  volumeMounts: z
    .array(
      z.looseObject({
        name: z.string(),
        mountPath: z.string(),
        readOnly: z.boolean().nullish(),
        subPath: z.string().nullish(),
        subPathExpr: z.string().nullish()
      })
    )
    .nullish()
})

const secret = z
  .looseObject({
    secretName: z.string().nullish(),
    defaultMode: z.number().nullish(),
    optional: z.boolean().nullish(),
    items: z.array(z.unknown()).nullish()
  })
  .nullish()

// Only what injection and mounting read: the API server has decoded the pod before it sends it, and checks it afterwards.
const schema = z.looseObject({
  metadata: z.looseObject({ labels: words, annotations: words }),
  spec: z.looseObject({
    hostNetwork: z.boolean().nullish(),
    os: z.looseObject({ name: z.string() }).nullish(),
    serviceAccountName: z.string().nullish(),
    securityContext: z.looseObject({ runAsUser: z.number().nullish(), fsGroup: z.number().nullish() }).nullish(),
    initContainers: z.array(container).nullish(),
    containers: z.array(container),
    volumes: z
      .array(
        z.looseObject({
          name: z.string(),
          csi: z.looseObject({ driver: z.string().nullish(), volumeAttributes: words }).nullish(),
          secret
        })
      )
      .nullish()
  })
})

/**
 * A pod out of an AdmissionReview, the very object, so that a patch fits it.
 *
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID naming every field that is wrong
 */
export function parsePod(object: unknown, field: 'object' | 'oldObject' = 'object'): Pod {
  checkShape(schema, object, ['request', field])
  return object as Pod
}
