// The webhook: gives pods their proxy or their certificates, and checks policies before they are stored.

import { runMain } from '../shared/config/index.ts'
import { startWebhook } from './app.ts'
import { WEBHOOK_OPTIONS } from './options.ts'

await runMain(
  'countersign-webhook',
  'gives pods their proxy or their certificates, and checks policies before they are stored, when the API server asks for it.',
  WEBHOOK_OPTIONS,
  startWebhook
)
