"""Tags of a bucket: AWS accepts them in CreateBucket, and moto ignores them there.

Owns nothing else of S3, which is moto's.

Source: CreateBucketConfiguration of the S3 API reference.
"""

from __future__ import annotations

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import s3_backend
from tier1_engine.sandbox.wire.replies import Reply


class BucketTags(CallBehaviour):
    """Gives a bucket the tags of the call that created it."""

    def after(self, call: Call, reply: Reply) -> Reply:
        if (call.service, call.operation) == ("s3", "CreateBucket") and reply.ok:
            wanted = (call.parameters.get("CreateBucketConfiguration") or {}).get("Tags") or ()
            name, backend = call.parameters["Bucket"], s3_backend(call)
            # In us-east-1 creating an existing bucket succeeds, and changes nothing.
            if wanted and not backend.get_bucket_tagging(name)["Tags"]:
                backend.put_bucket_tagging(name, {tag["Key"]: tag.get("Value", "") for tag in wanted})
        return reply
