"""previous: the tables as kubedl-shipper made them before job_info told API groups apart."""

TEXT = "COLLATE utf8mb4_general_ci NULL DEFAULT"
KEY = "COLLATE ascii_bin"

TABLES = (
    """CREATE TABLE kubedl_shipper_schema (version int NOT NULL, oldest_writer int NOT NULL,
       applied_at datetime NOT NULL, PRIMARY KEY (version)) ENGINE=InnoDB""",
    "INSERT INTO kubedl_shipper_schema VALUES (1, 1, UTC_TIMESTAMP())",
    f"""CREATE TABLE job_info (id bigint unsigned NOT NULL AUTO_INCREMENT,
       name varchar(253) {TEXT} NULL, namespace varchar(128) {TEXT} NULL,
       job_id varchar(64) {KEY} NOT NULL, version varchar(32) {KEY} NULL,
       status varchar(32) {TEXT} NULL, kind varchar(32) {TEXT} NULL, resources text {TEXT} NULL,
       deploy_region varchar(64) {TEXT} NULL, tenant varchar(255) {TEXT} '',
       owner varchar(255) {TEXT} '', deleted tinyint NULL, is_in_etcd tinyint NULL,
       remark text {TEXT} NULL, gmt_created datetime NULL, gmt_modified datetime NULL,
       gmt_job_running datetime NULL, gmt_job_finished datetime NULL,
       cluster_id varchar(64) {TEXT} NULL, PRIMARY KEY (id), UNIQUE KEY uk_job_id (job_id),
       KEY idx_gmt_created (gmt_created), KEY idx_status_gmt_created (status, gmt_created),
       KEY idx_namespace_name (namespace, name), KEY idx_alive (is_in_etcd, cluster_id, kind))
       ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci""",
    f"""CREATE TABLE replica_info (id bigint unsigned NOT NULL AUTO_INCREMENT,
       name varchar(253) {TEXT} NULL, namespace varchar(128) {TEXT} NULL,
       pod_id varchar(64) {KEY} NOT NULL, version varchar(32) {KEY} NULL,
       status varchar(32) {TEXT} NULL, image text {TEXT} NULL, job_id varchar(64) {KEY} NULL,
       replica_type varchar(63) {TEXT} NULL, resources text {TEXT} NULL,
       host_ip varchar(64) {TEXT} NULL, pod_ip varchar(64) {TEXT} NULL,
       deploy_region varchar(64) {TEXT} NULL, deleted tinyint NULL, is_in_etcd tinyint NULL,
       remark text {TEXT} NULL, gmt_created datetime NULL, gmt_modified datetime NULL,
       gmt_started datetime NULL, gmt_finished datetime NULL, cluster_id varchar(64) {TEXT} NULL,
       PRIMARY KEY (id), UNIQUE KEY uk_pod_id (pod_id), KEY idx_job_id (job_id),
       KEY idx_alive (is_in_etcd, cluster_id))
       ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci""",
)


def create_tables(database):
    for statement in TABLES:
        database.query(statement)
