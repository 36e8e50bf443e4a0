"""Audits: whether rows repeat test or training text, and whether they show what must stay private."""

from clinsynth.audit.record import AUDIT_VERSION, AuditRecord, Verdict, is_audited, read_audit
from clinsynth.audit.run import audit

__all__ = ["AUDIT_VERSION", "AuditRecord", "Verdict", "audit", "is_audited", "read_audit"]
