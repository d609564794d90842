"""What headings of public runbook collections mean, as data.

The keys are the ten standard sections and three more: `reference` is never sent in place of steps
(links, metadata, examples), `diagnosis` and `troubleshooting` depend on the other sections of the
runbook. Aliases are in lower case, without punctuation, separated by commas.
"""

REFERENCE, DIAGNOSIS, TROUBLESHOOTING = "reference", "diagnosis", "troubleshooting"

ENGLISH = {
    "Overview": (
        "meaning, summary, description, about, introduction, intro, background, context, "
        "purpose, alert description, alert details, alert overview, alert summary, "
        "alert meaning, explanation, scope, what is this, what this alert means, "
        "what does this alert mean, what does it mean, what it means, what it means in practice, "
        "what fired, what happened, what is happening, what is it, about this alert, definition, "
        "check description, how it works, understanding the alert, problem, problem description, "
        "problem statement, initial steps overview, objective, objectives, goal, goals, "
        "when to use, when to use this runbook, why this matters"
    ),
    "Severity": (
        "impact, impacts, priority, severity level, severity levels, impact assessment, "
        "user impact, customer impact, business impact, service impact, slo impact, "
        "alert severity, blast radius, urgency, consequences, effect, effects, risk, risks"
    ),
    "Prerequisites": (
        "prerequisite, pre requisites, prerequsities, prerequisities, requirements, "
        "required access, access, access required, required permissions, permissions, "
        "preconditions, before you begin, before you start, before starting, preparation, "
        "required tools, tools needed, tools"
    ),
    "Detection": (
        "symptoms, symptom, how to detect, detecting, indicators, signs, identification, "
        "identify, identifying, how to identify, alert conditions, alert condition, triggers, "
        "trigger, alert trigger, detection and alerts, alerts, alert criteria, how to recognize, "
        "confirm, what you will see, observations, signals, detect"
    ),
    "Investigation": (
        "investigate, investigating, how to investigate, debugging, debug, how to debug, "
        "analysis, root cause, root causes, root cause analysis, rca, possible causes, "
        "possible cause, common causes, common root causes, causes, cause, reason, reasons, why, "
        "further investigation, deep dive, likely causes, potential causes, failure reasons, "
        "common issues, common problems, known issues, why is this happening"
    ),
    "Mitigation": (
        "mitigate, mitigating, mitigations, resolution, resolutions, resolving, playbook, "
        "playbooks, runbook, fix, fixes, fixing, remediation, remediations, remediate, "
        "remediating, remedy, remedies, resolve, repair, repairing, recovery, recover, "
        "recovering, restore, restoring, solution, solutions, solving, solve, solutions list, "
        "solutions detail, workaround, workarounds, in case of emergency, immediate actions, "
        "immediate action, immediate response, actions, action, actions to take, action to take, "
        "actions required, action required, action items, what to do, what should i do, "
        "what should you do, what can i do, what to do next, first response, response, "
        "corrective actions, corrective action, countermeasures, procedure, procedures, steps, "
        "steps to take, instructions, handling, handle, respond, treatment, how do i fix it, "
        "how do i fix this, hotfix, operator action, operator actions, response actions, "
        "incident response, emergency actions, manual intervention"
    ),
    "Verification": (
        "verify, verifying, validation, validate, how to verify, verify recovery, "
        "confirm resolution, verify resolution, verifying recovery, post checks, "
        "recovery verification, check resolution, how to confirm resolution, confirm the fix, "
        "success criteria"
    ),
    "Communication": (
        "communications, communication plan, communication template, communication templates, "
        "stakeholder communication, comms, status page, notifications"
    ),
    "Escalation": (
        "escalation path, escalation paths, escalation policy, escalation procedure, "
        "escalation procedures, escalation matrix, escalation contacts, escalations, "
        "when to escalate, escalate, contacts, contact, who to contact, on call contacts, support"
    ),
    "Post-Incident": (
        "postmortem, post mortem, postmortems, follow up, follow ups, follow up actions, "
        "post incident actions, post incident review, post incident tasks, post incident steps, "
        "after the incident, prevention, preventing, preventive measures, preventive actions, "
        "preventative measures, lessons learned, long term fix, long term fixes, "
        "long term actions, long term solution, retrospective, clean up, cleanup"
    ),
    REFERENCE: (
        "references, links, link, quick links, useful links, related links, related, see also, "
        "further reading, further information, further info, more information, more info, "
        "additional information, additional resources, additional reading, additional links, "
        "external links, resources, documentation, related documentation, related runbooks, "
        "related alerts, related incidents, similar alerts, dashboards, dashboard, metrics, "
        "logging, example, examples, example alert, example alerts, alert example, sample alert, "
        "alert rule, alert rules, alert definition, alert expression, alert query, expression, "
        "query, queries, promql, rule, prometheus rule, automation, automation thoughts, owner, "
        "owners, ownership, author, authors, team, maintainers, maintainer, metadata, tags, "
        "labels, changelog, change log, change history, revision history, history, "
        "version history, contents, table of contents, toc, glossary, definitions, terminology, "
        "architecture, services, dependencies, schedule, schedules, recent changes, "
        "service availability definitions, alert behaviour, alert behavior, check runbook match, "
        "license, header"
    ),
    DIAGNOSIS: (
        "diagnose, diagnosing, diagnostics, diagnostic, how to diagnose, possible checks, "
        "checks, check, checking, how to check, what to check, where to look, what to look for, "
        "things to check, health checks, pre checks, prechecks, assessment, triage, "
        "initial steps, detailed steps, first steps, quick reference commands, useful commands, "
        "verify components are running"
    ),
    TROUBLESHOOTING: ("troubleshooting pointers, troubleshoot, how to troubleshoot"),
}

OTHER_LANGUAGES = {
    "Overview": (
        "含义, 概述, 概览, 描述, 说明, 简介, 介绍, 背景, 摘要, 定义, 告警含义, 告警描述, "
        "告警说明, 概述说明, 描述信息, 問題描述, 问题描述, 概要, 意味, 説明, アラートの説明, "
        "アラート概要, 개요, 설명, 의미, significado, descripción, resumen, introducción, "
        "contexto, visión general, descrição, resumo, visão geral, introdução, bedeutung, "
        "beschreibung, überblick, übersicht, zusammenfassung, einleitung, hintergrund, "
        "signification, résumé, contexte, aperçu, vue d ensemble, descrizione, significato, "
        "описание, значение, обзор, mô tả, ý nghĩa, tổng quan"
    ),
    "Severity": (
        "影响, 影響, 影响范围, 影響範囲, 严重性, 严重程度, 嚴重程度, 级别, 告警级别, 重要度, "
        "영향, 심각도, impacto, severidad, gravedad, severidade, gravidade, auswirkung, "
        "auswirkungen, schweregrad, dringlichkeit, sévérité, gravité, impatto, влияние, "
        "критичность, ảnh hưởng, tác động"
    ),
    "Prerequisites": (
        "前提条件, 先决条件, 准备工作, 前置条件, 事前準備, 사전 준비, requisitos, "
        "prerrequisitos, requisitos previos, pré requisitos, voraussetzungen, prérequis, "
        "prerequisiti, требования"
    ),
    "Detection": (
        "检测, 症状, 症狀, 现象, 現象, 表现, 故障现象, 告警条件, 触发条件, 检测方法, 检查方法, "
        "検知, 検出, 検知方法, 발생 조건, 증상, 탐지, síntomas, síntoma, detección, sintomas, "
        "detecção, symptome, symptom, erkennung, symptômes, détection, sintomi, rilevamento, "
        "симптомы, обнаружение, triệu chứng, phát hiện"
    ),
    "Investigation": (
        "调查, 調查, 调查步骤, 原因, 原因分析, 可能原因, 可能的原因, 根因, 根因分析, 根本原因, "
        "分析, 问题分析, 問題分析, 问题原因, 故障原因, 故障分析, 定位, 問題定位, 问题定位, 調査, "
        "調査方法, 調査手順, 原因調査, 想定原因, 考えられる原因, 切り分け, 원인, 원인 분석, "
        "조사, investigación, causas, causa, causa raíz, posibles causas, análisis, "
        "investigação, possíveis causas, causa raiz, análise, untersuchung, analyse, ursache, "
        "ursachen, mögliche ursachen, ursachenanalyse, investigation, cause, causes possibles, "
        "enquête, cause possibili, indagine, причины, причина, возможные причины, расследование, "
        "анализ, nguyên nhân, phân tích"
    ),
    "Mitigation": (
        "缓解, 緩解, 缓解措施, 緩解措施, 解决, 解决方案, 解決方案, 解决方法, 解决办法, 处理, "
        "處理, 处理方法, 处理步骤, 处理流程, 处理方案, 处理建议, 處理步驟, 处置, 处置方法, "
        "处置步骤, 措施, 应对措施, 应急处理, 应急措施, 修复, 修復, 修复方法, 修复步骤, 恢复, "
        "恢复步骤, 操作步骤, 步骤, 如何解决, 如何处理, 建议, 解决步骤, 対応, 対処, 対応方法, "
        "対処方法, 対応手順, 対処手順, 対処法, 対応策, 緩和, 緩和策, 解決, 解決策, 解決方法, "
        "復旧, 復旧手順, 復旧方法, 手順, 作業手順, 조치, 조치 방법, 조치사항, 해결, 해결 방법, "
        "해결방법, 대응, 대응 방법, 복구, 복구 절차, 완화, mitigación, solución, soluciones, "
        "resolución, acciones, acción, acciones a tomar, pasos, pasos a seguir, remediación, "
        "qué hacer, procedimiento, procedimientos, corrección, cómo solucionarlo, cómo resolver, "
        "acciones inmediatas, recuperación, mitigação, solução, soluções, resolução, ações, "
        "ação, ações imediatas, passos, o que fazer, como resolver, correção, remediação, "
        "recuperação, maßnahmen, maßnahme, sofortmaßnahmen, gegenmaßnahmen, lösung, lösungen, "
        "behebung, problembehebung, abhilfe, vorgehen, vorgehensweise, schritte, was tun, "
        "was ist zu tun, wiederherstellung, handlungsanweisung, handlungsanweisungen, "
        "résolution, remédiation, que faire, procédure, étapes, correction, atténuation, "
        "rétablissement, mitigazione, risoluzione, soluzione, azioni, procedura, решение, "
        "устранение, действия, что делать, порядок действий, восстановление, khắc phục, "
        "cách khắc phục, xử lý, cách xử lý, giải pháp, các bước xử lý"
    ),
    "Verification": (
        "验证, 驗證, 恢复验证, 验证方法, 检查恢复, 検証, 復旧確認, 動作確認, 검증, verificación, "
        "validación, comprobación, verificação, validação, überprüfung, verifizierung, "
        "erfolgskontrolle, vérification, verifica, проверка, xác minh"
    ),
    "Communication": ("沟通, 通知, 連絡, comunicación, comunicação, kommunikation, коммуникация"),
    "Escalation": (
        "升级, 升级流程, 联系人, 上报, エスカレーション, 連絡先, 에스컬레이션, 연락처, escalado, "
        "escalamiento, escalación, contactos, escalonamento, contatos, eskalation, "
        "ansprechpartner, kontakt, escalade, contatti, эскалация, контакты"
    ),
    "Post-Incident": (
        "复盘, 事后, 预防, 预防措施, 后续, 后续处理, 再発防止, 事後対応, 振り返り, 예방, "
        "사후 조치, prevención, seguimiento, lecciones aprendidas, prevenção, lições aprendidas, "
        "nachbereitung, vorbeugung, prévention, prevenzione, профилактика"
    ),
    REFERENCE: (
        "参考, 参考资料, 参考文档, 參考資料, 相关链接, 链接, 示例, 例子, 例, 参考リンク, "
        "関連リンク, リンク, 関連資料, 참고, 참고 자료, 링크, 예시, referencias, enlaces, "
        "ejemplo, ejemplos, referências, exemplo, exemplos, referenzen, verweise, "
        "weiterführende links, siehe auch, beispiel, beispiele, références, liens, voir aussi, "
        "exemple, exemples, riferimenti, ссылки, пример, tham khảo, tài liệu tham khảo"
    ),
    DIAGNOSIS: (
        "诊断, 診斷, 诊断步骤, 诊断方法, 排查, 排查步骤, 排查方法, 检查, 检查步骤, 檢查, 診断, "
        "確認, 確認事項, 確認手順, 確認方法, 진단, 확인, 확인 사항, 점검, diagnóstico, "
        "diagnosticar, comprobaciones, verificaciones, diagnose, prüfung, prüfungen, diagnostic, "
        "diagnosi, диагностика, chẩn đoán, kiểm tra"
    ),
    TROUBLESHOOTING: (
        "故障排除, 故障排查, 问题排查, 問題排查, 故障处理, トラブルシューティング, 문제 해결, "
        "solución de problemas, resolución de problemas, solução de problemas, "
        "resolução de problemas, fehlerbehebung, fehlersuche, dépannage, "
        "risoluzione dei problemi, устранение неполадок, поиск неисправностей"
    ),
}

# Words that change nothing about what a heading means: "Potential resolution steps".
_BEFORE = (
    "alert available basic common detailed emergency error first general immediate incident "
    "initial issue known likely manual possible potential preliminary problem proposed quick "
    "recommended standard suggested the typical urgent useful"
)
BEFORE = frozenset(_BEFORE.split())
_AFTER = (
    "action actions checklist commands detail details guidance guide information instructions it "
    "list measures methods notes option options overview plan plans procedure procedures process "
    "recommendations section step steps strategies strategy this tips"
)
AFTER = frozenset(_AFTER.split())

# Words in mixed case that are no alert's name.
_NOT_ALERTS = (
    "AlertManager ArgoCD BigQuery BitBucket ChatOps ClickHouse CloudFormation CloudFront "
    "CloudSQL CloudWatch CockroachDB ConfigMap ConfigMaps ContainerCreating CoreDNS "
    "CrashLoopBackOff CronJob CronJobs DaemonSet DaemonSets DevOps DiskPressure DynamoDB "
    "ElasticSearch ErrImagePull GitHub GitLab GitOps GraphQL HorizontalPodAutoscaler "
    "ImagePullBackOff InfluxDB JavaScript LimitRange LinkedIn MacOS MariaDB MemoryPressure MinIO "
    "MongoDB MySQL NetworkPolicy NotReady OOMKilled OpenSearch OpenShift OpenTelemetry OpsGenie "
    "PIDPressure PagerDuty PersistentVolume PersistentVolumeClaim PersistentVolumeClaims "
    "PersistentVolumes PgBouncer PodDisruptionBudget PodMonitor PostgreSQL PowerShell "
    "PrometheusRule PrometheusRules RabbitMQ ReplicaSet ReplicaSets ResourceQuota ServiceAccount "
    "ServiceMonitor StackOverflow StatefulSet StatefulSets StorageClass TimescaleDB TypeScript "
    "VictoriaMetrics WordPress YouTube ZooKeeper"
)
NOT_ALERTS = frozenset(_NOT_ALERTS.split())
