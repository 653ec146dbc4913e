// replay: what one metadata record does to an image. The one place that knows; brokers go through
// Delta, the controller through its own state, snapshots through either. Pure; the image belongs to
// the caller's thread.
#pragma once

#include "base/result.h"
#include "metadata/image.h"
#include "protocol/records/metadata.h"

namespace moldau::metadata {

// Errors: UnknownServerError when the record contradicts the image (a partition of an unknown
// topic, a change of a broker that is not registered), UnsupportedVersion for a feature level
// beyond what this program supports. The image is then unchanged; going on would be a guess.
Status replay(Image& image, const protocol::MetadataRecord& record);

}  // namespace moldau::metadata
